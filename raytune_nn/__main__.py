"""`python -m raytune_nn`."""

import sys

from raytune_nn.cli import main

sys.exit(main())
