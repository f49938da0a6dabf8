"""What people do with accounts, by process: `accounts` (from registration to erasure), `sessions`
(log-in and tokens), `passwords`, `emails`, `blocks` (and the way back), `staff`, `inactivity`."""
