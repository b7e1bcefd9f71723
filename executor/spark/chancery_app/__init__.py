"""The Spark application of a Chancery run: checks a signed job spec, then does exactly that."""
