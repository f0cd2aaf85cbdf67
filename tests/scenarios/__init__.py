"""What people did with the original's command line, one scenario a test, in the requests that it sends.

`script.py` asks as that program does: the project's id from the token, names found by searching, bodies with all their keys,
nulls and empty texts. What it prints is made of the answers, so the tests look at those.

Left out, because nothing is sent or the program itself is what is tried:

1: prints the program's own version
2: keeps a token on the user's machine
3: refuses a token that has not two parts, before anything is sent
4: keeps an address on the user's machine
5: refuses an address of another scheme, before anything is sent
6: forgets a token on the user's machine
7: refuses an address of another scheme, before anything is sent
9: misses a flag, before anything is sent
54: refuses half of a scaling rule, before anything is sent

None needs a cluster: core instances are made by POST /v1/aggregators, and what a core instance would report is sent for it.
"""
