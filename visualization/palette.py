"""Colours that colour-blind readers can tell apart, for figures and pages alike."""

# Of Okabe and Ito (2008), "Color Universal Design".
BLUE, ORANGE, VERMILION, GREY = "#0072B2", "#E69F00", "#D55E00", "#999999"
# Of the lines of methods: the palette of Okabe and Ito, then of Tol.
METHOD_COLORS = (
    *(BLUE, VERMILION, "#009E73", "#CC79A7", ORANGE, "#56B4E9", "#000000"),
    *("#882255", "#999933", "#332288", "#44AA99"),
)
