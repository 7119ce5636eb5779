"""When an account that calls tokens dead is doubted rather than the tokens."""

from __future__ import annotations

from notify.rules.bad_tokens import Window, is_suspect

LENGTH = 600.0


def test_a_few_dead_tokens_among_many_are_ordinary() -> None:
    assert not is_suspect(Window(0.0).after(1000, 50, 1.0, LENGTH))


def test_too_large_a_share_casts_doubt_on_the_account() -> None:
    assert is_suspect(Window(0.0).after(1000, 51, 1.0, LENGTH))


def test_few_tokens_prove_nothing_however_dead() -> None:
    assert not is_suspect(Window(0.0).after(19, 19, 1.0, LENGTH))


def test_the_count_goes_on_over_pages() -> None:
    window = Window(0.0)
    for second in range(4):
        window = window.after(6, 6, float(second), LENGTH)
    assert is_suspect(window)


def test_what_is_long_past_is_forgotten_and_what_is_just_past_counts_half() -> None:
    window = Window(0.0).after(100, 100, 1.0, LENGTH)
    assert window.after(0, 0, LENGTH + 2, LENGTH) == Window(LENGTH + 2, 50, 50)
    assert window.after(1, 0, 2 * LENGTH + 2, LENGTH) == Window(2 * LENGTH + 2, 1, 0)
