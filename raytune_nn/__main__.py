"""`python -m raytune_nn`."""

import gc
import signal
import sys

from raytune_nn.cli import main

code = main()
signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C comes too late to change how it ended
gc.freeze()  # or Python looks once more through all that Ray has imported, for half a second
sys.exit(code)
