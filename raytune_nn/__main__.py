"""`python -m raytune_nn`."""

import gc
import sys

from raytune_nn.cli import main

code = main()
gc.freeze()  # or Python looks once more through all that Ray has imported, for half a second
sys.exit(code)
