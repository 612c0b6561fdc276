"""Best-first search over states: A*, Dijkstra, BFS, DFS and greedy, recorded and judged."""
