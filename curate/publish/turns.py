"""What the user says in a training conversation."""


def user_turn(problem: str, starter_code: str | None) -> str:
    """The problem, followed by its starter code where the problem does not show it already."""
    if starter_code and starter_code.strip() and starter_code.strip() not in problem:
        return f"{problem}\n\n{starter_code}"
    return problem
