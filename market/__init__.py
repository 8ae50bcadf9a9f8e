"""The market's vocabulary: periods, windows, units, money, identity codes and errors.

Pure: standard library and numpy only, no input or output.
"""
