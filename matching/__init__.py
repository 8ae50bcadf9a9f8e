"""The clearing of the lithium-ion chain's long-term market.

Pure: takes a frozen snapshot, returns an answer; no web, no database. Only `snapshot_files`, `answer_files` and
`__main__` touch the disk.
"""
