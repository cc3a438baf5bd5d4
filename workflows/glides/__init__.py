"""What every question of gliding shares: where ions begin, points in one batch; files, tables, figures and pages."""
