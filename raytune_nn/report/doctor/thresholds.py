"""The numbers that the rules compare with.

They were chosen on perceptrons that learn the digits, but for ``LEARNT``, which came after a look at one seed of a
convolutional network; ``scripts/bench/doctor.py`` measures them on other networks.
"""

LEAST_REPORTS = 5  # of which a curve's shape can be read
FEW_REPORTS = 3  # of which a level can be read

RISE = 0.25  # of the validation loss above its least: over-fitting; or
SMALL_RISE = 0.05  # so much, where it ends above
LEFT = 0.2  # this share of the first training loss
FITTED = 0.5  # and the training loss has fallen to this share of what it was there, or
LEARNT = 0.05  # to this share of its first
EARLY_GAP = 1.3  # validation loss / training loss, from the first reports on: they are of different rows
NEAR_GAP = 1.05  # likewise, where in addition
NO_TRANSFER = 0.1  # of what the training loss lost in its first half, the validation loss lost less than this share
LATE_GAP = 1.5  # validation loss / training loss at the end, of either

WEAK_SCORE = 0.7  # an accuracy or the like below it is weak
UNTRAINED = 0.5  # a training loss above this share of its first is not fitted
UNTRAINED_ALONE = 0.9  # the same, where no score says how good that is
FLAT_SHARE = 0.4  # of the training, at its end, in which
FLAT = 0.01  # the training loss fell by less than this share: it does not move
HIGH = 0.3  # while it is still above this share of its first

BLOWN_UP = 2.0  # training loss / its least before, and
BACK_UP = 0.5  # it is above this share of its first: diverged
WORSE_THAN_CHANCE = 3.0  # training loss / cross entropy of answers at random: diverged
BACK_AND_FORTH = 0.06  # of training and validation loss together, a report: oscillation;
MOST_AT_ONCE = 0.4  # that counts: a spike that was overcome is none
SWING_FLOOR = 0.04  # of its first value: added to a loss, for what is small swings by itself

EXPLODED = 30.0  # gradient norm, in units of the loss where that is above 1
GROWING = 30.0  # gradient norm of a group / that of the last one, and
GROWN = 3.0  # the norm itself: they grow on their way back
VANISHED = 1e-2  # gradient norm of the first group / that of the last, which is itself above
ALIVE = 1e-5
DEAD = 0.5  # share of a group's units

NEAR_BOUND = 0.2  # of a range, at its end
BY_CHANCE = 0.03  # the best trials are there so often with at most this probability, if the parameter did not matter
BEST_SHARE = 0.25  # of the trials: the best
LEAST_BEST = 3
