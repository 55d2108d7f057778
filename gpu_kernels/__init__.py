"""Arrays in, arrays out: engines, hashes, views and the index. Knows no post and no victim."""
