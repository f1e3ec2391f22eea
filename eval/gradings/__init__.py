"""The two gradings of an answer: ours, by the verifiers, and Evalchemy's, by text alone."""
