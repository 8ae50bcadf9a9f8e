"""Our clearing against general tools on the same markets: sizes, times, memory, and that all reach the same optimum."""
