"""What happens without anybody waiting: the night, expiries, rescue of what a killed process left behind.

The queue lives in the database (procrastinate). Each job draws its own transactions around operations.
"""
