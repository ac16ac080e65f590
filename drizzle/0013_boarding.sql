CREATE TABLE `ssh_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`private_key` text NOT NULL,
	`public_key` text NOT NULL,
	`created_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL
);
--> statement-breakpoint
ALTER TABLE `health_checks` ADD `offered_host_key_at` integer;--> statement-breakpoint
ALTER TABLE `health_checks` ADD `host_key_seen_at` integer;--> statement-breakpoint
ALTER TABLE `subscriptions` ADD `ssh_key_id` text REFERENCES ssh_keys(id);--> statement-breakpoint
ALTER TABLE `subscriptions` ADD `ssh_host_key_at` integer;--> statement-breakpoint
ALTER TABLE `subscriptions` ADD `note` text;--> statement-breakpoint
ALTER TABLE `subscriptions` ADD `not_ready_why` text;