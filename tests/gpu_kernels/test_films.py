"""`gpu_kernels.films`; what galleries do with films is in `test_search.py`."""

from dataclasses import replace

import numpy as np

from gpu_kernels.films import MIN_PLAIN_FRAMES, Film, has_order, plain_frames
from tests.gpu_kernels.test_search import a_print, film_of


def test_plain_frames_that_change_have_an_order_and_black_ones_have_none() -> None:
    assert has_order(film_of(1, MIN_PLAIN_FRAMES, detail=0.5))
    assert not has_order(film_of(1, MIN_PLAIN_FRAMES - 1, detail=0.5))
    black = [a_print(5, detail=0.0, at_seconds=float(n)) for n in range(50)]
    assert not has_order(black)


def test_a_flat_frame_of_one_view_is_plain_and_one_with_a_picture_in_it_is_not() -> None:
    flat = a_print(3, views=1, detail=0.2)
    page = replace(flat, boxes=np.array([[0.2, 0, 0.7, 1]], np.float32))
    assert plain_frames([flat, page, a_print(4)]).tolist() == [True, False, False]


def test_frames_stand_in_order_of_time_whatever_order_they_come_in() -> None:
    frames = film_of(1, 5)
    film, shuffled = Film(frames), Film([frames[i] for i in (3, 0, 4, 1, 2)])
    assert shuffled.seconds.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(shuffled.itself, film.itself)
