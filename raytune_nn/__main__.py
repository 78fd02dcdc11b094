"""`python -m raytune_nn`."""

import signal
import sys

from raytune_nn.cli import main

code = main()
signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C comes too late to change how it ended
sys.exit(code)
