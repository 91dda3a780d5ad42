"""Answer requests; each module holds the views for one kind of thing people do."""
