"""How windows lie beside each other."""


def tiles(windows, start, end):
    """Whether the windows, in order, cover exactly ``[start, end)``."""
    at = start
    for window in windows:
        if window.start != at or window.end <= window.start:
            return False
        at = window.end
    return at == end
