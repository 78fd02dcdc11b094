"""The page in a browser: it opens from the disk alone, its figures hold what the journal has, its table works."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from chromium import needs_chromium
from made_studies import Made, make_settings
from pages_in_browser import Shown, shown
from processes import Place, first_study, new_place

from raytune_nn.report.page.render import write_report
from raytune_nn.report.page.slots import pieces_of
from raytune_nn.report.study import Study, read_study
from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.resume import stored_config

pytestmark = needs_chromium

TRIALS, EPOCHS = 150, 4


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """More trials than the table shows at once, some of which fail or diverge."""
    made = Made().begin()
    for number in range(TRIALS):
        params = {"optimizer.lr": 10.0 ** (-4 + 3 * number / TRIALS), "net.act": ("relu", "</script>")[number % 2]}
        level = 0.9 - (number % 50) / 100
        made.train(str(number), *(level - 0.1 / epoch for epoch in range(1, EPOCHS + 1)), slot=number % 3, **params)
        made.end(str(number), "failed" if number % 30 == 7 else "complete", error="E: </script>")
    study = made.close().study(tmp_path_factory.mktemp("made"), make_settings(EPOCHS))
    study.folder.create()
    write_report(study)
    return study


@pytest.fixture
def page(study: Study) -> Iterator[Shown]:
    with shown(study.folder.report) as page:
        yield page
        assert page.errors == []
        assert page.requests == [study.folder.report.as_uri()], "the page itself, and nothing else"


def check_marks(page: Shown, study: Study) -> None:
    """Every figure is drawn, and those that show reports, trials and pieces of work have as many as the journal."""
    page.draw_all()
    reports = sum(event["type"] == "reported" for event in study.events)
    assert page.points("learning-curves", "lines") == reports
    with_value = sum(trial.value is not None and trial.state != "failed" for trial in study.record.trials.values())
    assert page.points("optimisation-history", "markers") >= with_value
    assert page.marks("who-trained-when") == len(pieces_of(study.events))


def test_it_opens_and_its_figures_hold_what_the_journal_has(page: Shown, study: Study) -> None:
    check_marks(page, study)


def test_a_click_on_a_column_sorts_and_another_one_turns_it_round(page: Shown, study: Study) -> None:
    head = page.page.get_by_role("button", name="val_acc")
    head.click()
    values = [float(text) for text in page.column("val_acc")]
    assert values == sorted(values)
    head.click()
    values = [float(text) for text in page.column("val_acc")]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(study.record.best.value if study.record.best else None, rel=1e-4)
    page.page.get_by_role("button", name="trial", exact=True).click()
    assert page.column("trial")[:11] == [str(number) for number in range(11)], "as numbers"


def test_filters_keep_what_they_ask_for(page: Shown, study: Study) -> None:
    trials = study.record.trials.values()
    page.field("val_acc").fill(">0.8")
    above = sum(trial.value is not None and trial.value > 0.8 for trial in trials)
    assert page.page.locator("#shown").text_content() == f"{above} of {TRIALS} trials"
    page.field("state").select_option("failed")
    assert set(page.column("state")) <= {"failed"}
    page.page.get_by_role("button", name="clear filters").click()
    page.field("net.act").fill("SCRIPT")
    assert set(page.column("net.act")) == {"</script>"}
    assert page.page.locator("#shown").text_content() == f"{TRIALS // 2} of {TRIALS} trials"


def test_the_table_shows_some_and_then_all(page: Shown) -> None:
    assert len(page.rows()) == 100
    page.page.get_by_role("button", name="show more").click()
    assert len(page.rows()) == TRIALS


@pytest.mark.parametrize("dark", [False, True])
def test_figures_follow_the_page_from_light_to_dark_and_back(study: Study, dark: bool) -> None:
    colour = "document.querySelector('.plot')._fullLayout.font.color"
    with shown(study.folder.report, dark=dark) as page:
        page.page.wait_for_function("document.querySelector('.plot')._fullLayout")
        text = "getComputedStyle(document.documentElement).color"
        before = page.page.evaluate(colour), page.page.evaluate(text)
        page.page.emulate_media(color_scheme="light" if dark else "dark")
        page.page.wait_for_function(f"{colour} !== '{before[0]}'")
        assert page.page.evaluate(text) != before[1]
        assert page.errors == []


def test_a_phone_scrolls_down_only(study: Study) -> None:
    with shown(study.folder.report, width=390) as page:
        page.draw_all()
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.errors == []


def test_a_command_can_be_copied_whole(page: Shown) -> None:
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    command = page.page.locator(".command").first
    command.get_by_role("button").click()
    command.get_by_text("copied").wait_for()
    assert page.page.evaluate("navigator.clipboard.readText()") == command.locator("code").text_content()


@pytest.fixture(scope="module")
def pbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A population of four on the digits, which copy each other after each epoch."""
    with new_place(tmp_path_factory.mktemp("pbt")) as place:
        budget = ("budget.num_trials=4", "budget.max_epochs=6", "search.scheduler.interval=1", "cluster.cpus=2")
        ran = place.run("+search=pbt", "study.name=first", *budget)
        assert ran.code == 0, ran.err
        assert "report      studies/first/report.html" in ran.out
        yield place


@pytest.mark.slow
def test_the_report_of_a_real_asha_study() -> None:
    folder = StudyFolder(first_study().folder)
    study = read_study(folder, stored_config(folder))
    with shown(folder.report) as page:
        check_marks(page, study)
        assert page.page.locator("#rungs").count() == 1
        assert page.marks("rungs") >= len(study.record.trials), "each trial came to the first one"
        assert len(page.rows()) == len(study.record.trials)
        best = study.record.best
        assert best is not None
        assert re.search(rf"Trial {best.id} won .* ahead of trial \d", page.page.locator("header").inner_text())
        assert (page.errors, page.requests) == ([], [folder.report.as_uri()])


@pytest.mark.slow
def test_the_report_of_a_real_pbt_study(pbt: Place) -> None:
    folder = StudyFolder(pbt.study())
    study = read_study(folder, stored_config(folder))
    copies = sum(event["type"] == "resumed" and event["source"] is not None for event in study.events)
    assert copies
    with shown(folder.report) as page:
        check_marks(page, study)
        assert page.page.locator("#lineage").count() == page.page.locator("#schedules").count() == 1
        assert page.page.locator("#rungs").count() == 0
        assert (page.errors, page.requests) == ([], [folder.report.as_uri()])
