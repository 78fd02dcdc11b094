"""`python -m raytune_nn`."""

import gc
import signal
import sys

from raytune_nn.cli import main

code = main()
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)  # a second one comes too late to change how it ended
gc.freeze()  # or Python looks once more through all that Ray has imported, for half a second
sys.exit(code)
