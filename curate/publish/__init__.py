"""From decided attempts to a published dataset, and to other renderings of it."""
