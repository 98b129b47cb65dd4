"""Programs of people on the hidden tier: what the site says about them, in one place."""

# Shown wherever a page, a form or the API speaks of entering the hidden tier.
NOT_YET = (
    "This server does not run people's programs yet, so nobody can enter the hidden tier; only the "
    "site's own baselines are measured on it. Send reconstructions to the public and dev tiers: "
    "your entry is listed, and ranked once it has all three."
)
