"""Where the contract does not hold, and why it cannot: one line each.

A reason is one of mathematics or of another library's contract; "not yet" is none. What is known
to be wrong stands apart, in `KNOWN_FAULTS`, and the suite fails as soon as such a line is outdated.
"""

NO_CASE = {
    "RegularizedNetClassifier": "skorch's net, whose contract is skorch's: **kwargs, tensors",
    "RegularizedNetRegressor": "skorch's net, whose contract is skorch's: **kwargs, tensors",
}

# (class or case, check): reason
EXEMPT: dict[tuple[str, str], str] = {}

# (class or case, check): what is wrong
KNOWN_FAULTS: dict[tuple[str, str], str] = {}


def reason(table, case, check):
    """Why a case is in a table for a check, None if it is not."""
    for key in ((case.name, check), (case.cls, check)):
        if key in table:
            return table[key]
    return None
