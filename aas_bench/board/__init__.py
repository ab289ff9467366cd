"""The leaderboard: records become views, views become a live page or plain files."""
