"""One self-inspection: what its checks found, when the next is due, and how it reads on paper."""
