# SPDX-License-Identifier: GPL-2.0-only
#
# Counts the top level of a KTAP stream, or of several that follow each other: prints "PASSED FAILED SKIPPED whole", or
# "broken" in place of "whole" when results and plan disagree or one is missing.
/^1\.\.[0-9]+/	{
	split($1, range, /\.\./)
	plan += range[2]
	planned = 1
	if (range[2] == 0 && toupper($0) ~ /# SKIP/)
		skipped_all++
}
/^Bail out!/	{ bailed = 1 }
/^not ok /	{ if (toupper($0) ~ /# (TODO|SKIP)/) skipped++; else failed++ }
/^ok /		{ if (toupper($0) ~ /# SKIP/) skipped++; else passed++ }
END {
	whole = planned && !bailed && passed + failed + skipped == plan
	skipped += skipped_all
	printf "%d %d %d %s\n", passed, failed, skipped, whole ? "whole" : "broken"
}
