import sys

from storybook.training import main

if __name__ == "__main__":
    sys.exit(main())
