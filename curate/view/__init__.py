"""Reading traces: what `veristill view` shows, and the page it shows it on."""
