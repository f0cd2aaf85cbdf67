"""What Nectary costs, as ratios to a bare server in the same run; machines differ, ratios less."""
