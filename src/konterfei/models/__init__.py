"""Networks that swap faces. Contract: `models.base.SwapModel`; what merging holds: `models.swapper.Swapper`."""

from konterfei.registry import Entry, Registry

MODELS = Registry(
    "model",
    {
        "df": Entry("konterfei.models.df:DF", "one decoder per person: keeps the identity of src best"),
        "liae": Entry("konterfei.models.liae:LIAE", "one decoder, a code per person: adapts best to dst's light"),
        "amp": Entry("konterfei.models.amp:AMP", "two inters mixed by channel: a slider from dst to src at merge time"),
    },
)
