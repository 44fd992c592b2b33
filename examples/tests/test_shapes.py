"""Tests of Python. They are found without running or importing this file."""

import unittest


class Square(unittest.TestCase):
    """A class whose tests all have a tag.

    :avocado: tags=fast,about:shapes
    """

    def test_area(self):
        self.assertEqual(3 * 3, 9)

    def test_corners(self):
        for corner in range(4):
            with self.subTest(corner=corner):
                self.assertLess(corner, 4)
