"""Checks that are known not to pass, each with its reason: "client: scenario to format" and why.

Names may have stars. A check that is named here and passes fails the suite, so that this list stays true.
"""

EXPECTED = {}
