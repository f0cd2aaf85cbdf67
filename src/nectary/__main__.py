"""`python -m nectary` is `nectary`."""

from nectary.cli import main

main()
