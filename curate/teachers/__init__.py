"""Build calls and parse replies: one file per kind of teacher."""
