CREATE TABLE `status_pages` (
	`vps_id` text PRIMARY KEY NOT NULL,
	`token` text NOT NULL,
	`title` text,
	`created_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`updated_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	FOREIGN KEY (`vps_id`) REFERENCES `subscriptions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `status_pages_token_unique` ON `status_pages` (`token`);--> statement-breakpoint
ALTER TABLE `health_checks` ADD `circuit_reset_at` integer;--> statement-breakpoint
ALTER TABLE `monitor_state` ADD `healing_reason` text;--> statement-breakpoint
ALTER TABLE `restart_attempts` ADD `requested_by` text;--> statement-breakpoint
ALTER TABLE `subscriptions` ADD `healing_paused_since` integer;