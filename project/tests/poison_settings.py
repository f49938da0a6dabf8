"""The real settings with a cluster that loses its patience soon."""

from project.settings import *

Q_CLUSTER |= {"retry": 2, "max_attempts": 2, "poll": 0.1}
