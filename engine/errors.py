"""What a user can cause: shown as it is in one to three lines, never as a traceback."""


class UserError(Exception):
    """Something outside the program is wrong: a preset, an option, a file, a model of the user's own.

    The text says what is wrong, where, and what to do about it. The command line ends with exit code 2.
    """
