CREATE TABLE `recent_samples` (
	`series_id` integer PRIMARY KEY NOT NULL,
	`began_at` integer NOT NULL,
	`newest_at` integer NOT NULL,
	`closes_at` integer NOT NULL,
	`valid_ms` integer NOT NULL,
	`samples` text NOT NULL,
	FOREIGN KEY (`series_id`) REFERENCES `history_series`(`id`) ON UPDATE no action ON DELETE cascade
);
