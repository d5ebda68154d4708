"""``python -m storybook.training``: the same as ``explainer train``."""

import sys

from storybook.training import main

if __name__ == "__main__":
    sys.exit(main())
