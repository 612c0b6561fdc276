"""What tests share: small runs, drawn sets, checks that also run by themselves."""
