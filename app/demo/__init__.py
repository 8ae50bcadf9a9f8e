"""The demo: the reference scenario as rows, one night of the market on it, and what came out in words and a picture.

Volumes of the firms named rest on published capacities, prices and terms are synthetic; everything that is printed or
drawn says so.
"""
