"""Pipeline schedules pass by pass: orders, a discrete-event run of them, and what a rank holds meanwhile."""
