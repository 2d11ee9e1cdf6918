"""What a user can cause: shown as it is in one to three lines, never as a traceback."""


class UserError(Exception):
    """Something outside the program is wrong: a preset, an option, a file, a model of the user's own.

    The text says what is wrong, where, and what to do about it. The command line ends with exit code 2.
    """


TRAINING = ("torch", "torchvision", "sklearn")
NOT_INSTALLED = (
    "{name} is not installed in this environment, and training and evaluating need it\n"
    "pip install torch torchvision scikit-learn; watching, steering and exporting go without."
)


def missing(error: BaseException) -> str:
    """What to say where `error` is that torch, or what else training needs, cannot be imported; else ""."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return NOT_INSTALLED.format(name=name) if name in TRAINING else ""
