"""Contracts from proposal to the last lot: states, terms, price formula, schedule, settlement.

Pure: standard library and `market` only, no input or output. Everything takes and returns frozen values; the same
inputs always give the same cents.
"""
