CREATE TABLE `accounts` (
	`id` text PRIMARY KEY NOT NULL,
	`account_id` text NOT NULL,
	`provider_id` text NOT NULL,
	`user_id` text NOT NULL,
	`password` text,
	`access_token` text,
	`refresh_token` text,
	`id_token` text,
	`access_token_expires_at` integer,
	`refresh_token_expires_at` integer,
	`scope` text,
	`created_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`updated_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `accounts_user_provider_idx` ON `accounts` (`user_id`,`provider_id`);--> statement-breakpoint
CREATE TABLE `health_events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`user_id` text,
	`vps_id` text,
	`incident_id` text,
	`actor` text NOT NULL,
	`detail` text NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `health_events_user_idx` ON `health_events` (`user_id`,`at`);--> statement-breakpoint
CREATE INDEX `health_events_incident_idx` ON `health_events` (`incident_id`);--> statement-breakpoint
CREATE INDEX `health_events_at_idx` ON `health_events` (`at`);--> statement-breakpoint
CREATE TABLE `health_rollups` (
	`series_id` integer NOT NULL,
	`resolution` text NOT NULL,
	`starts_at` integer NOT NULL,
	`up_ms` integer DEFAULT 0 NOT NULL,
	`down_ms` integer DEFAULT 0 NOT NULL,
	`probes` text DEFAULT '' NOT NULL,
	PRIMARY KEY(`series_id`, `resolution`, `starts_at`),
	FOREIGN KEY (`series_id`) REFERENCES `history_series`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `health_samples` (
	`series_id` integer NOT NULL,
	`at` integer NOT NULL,
	`state` text NOT NULL,
	`probe_ms` integer,
	PRIMARY KEY(`series_id`, `at`),
	FOREIGN KEY (`series_id`) REFERENCES `history_series`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `history_series` (
	`id` integer PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `history_series_user_id_unique` ON `history_series` (`user_id`);--> statement-breakpoint
CREATE TABLE `incidents` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`vps_id` text NOT NULL,
	`opened_at` integer NOT NULL,
	`ended_at` integer,
	`cause` text NOT NULL,
	`first_error` text NOT NULL,
	`ended_by` text,
	`failed_checks` integer DEFAULT 0 NOT NULL,
	`circuit_opened_at` integer,
	`acknowledged_at` integer,
	`acknowledged_by` text,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `incidents_open_idx` ON `incidents` (`user_id`) WHERE ended_at IS NULL;--> statement-breakpoint
CREATE INDEX `incidents_opened_idx` ON `incidents` (`opened_at`);--> statement-breakpoint
CREATE INDEX `incidents_user_idx` ON `incidents` (`user_id`,`opened_at`);--> statement-breakpoint
CREATE TABLE `maintenance_windows` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`kind` text NOT NULL,
	`starts_at` integer NOT NULL,
	`ends_at` integer,
	`weekday` integer,
	`start_minute` integer,
	`duration_minutes` integer,
	`time_zone` text,
	`reason` text,
	`created_by` text NOT NULL,
	`created_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `maintenance_windows_user_idx` ON `maintenance_windows` (`user_id`);--> statement-breakpoint
CREATE TABLE `monitor_state` (
	`id` integer PRIMARY KEY NOT NULL,
	`healing` text DEFAULT 'on' NOT NULL,
	`healing_since` integer,
	`healing_by` text,
	`pause_stopped` integer,
	`pause_fleet` integer,
	`outage_since` integer,
	`outage_unreachable` integer,
	`outage_reachable_before` integer,
	`outage_accepted_at` integer,
	`outage_accepted_by` text
);
--> statement-breakpoint
CREATE TABLE `notification_targets` (
	`user_id` text NOT NULL,
	`channel` text NOT NULL,
	`enabled` integer DEFAULT true NOT NULL,
	`kinds` text,
	`address` text,
	`secret` text,
	`created_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`updated_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	PRIMARY KEY(`user_id`, `channel`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `notifications` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`audience` text NOT NULL,
	`recipient_id` text NOT NULL,
	`channel` text NOT NULL,
	`incident_id` text,
	`dedupe_key` text NOT NULL,
	`facts` text NOT NULL,
	`status` text DEFAULT 'pending' NOT NULL,
	`told_by` text,
	`attempts` integer DEFAULT 0 NOT NULL,
	`next_attempt_at` integer NOT NULL,
	`claimed_by` text,
	`sent_at` integer,
	`last_error` text,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`recipient_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `notifications_dedupe_key_unique` ON `notifications` (`dedupe_key`);--> statement-breakpoint
CREATE INDEX `notifications_due_idx` ON `notifications` (`status`,`next_attempt_at`);--> statement-breakpoint
CREATE INDEX `notifications_incident_idx` ON `notifications` (`incident_id`);--> statement-breakpoint
CREATE TABLE `one_time_links` (
	`token_hash` text PRIMARY KEY NOT NULL,
	`purpose` text NOT NULL,
	`user_id` text,
	`expires_at` integer NOT NULL,
	`created_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `one_time_links_user_id_idx` ON `one_time_links` (`user_id`);--> statement-breakpoint
CREATE TABLE `rate_limits` (
	`key` text PRIMARY KEY NOT NULL,
	`count` integer NOT NULL,
	`ends_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `rate_limits_ends_at_idx` ON `rate_limits` (`ends_at`);--> statement-breakpoint
CREATE TABLE `restart_evidence` (
	`restart_id` text PRIMARY KEY NOT NULL,
	`taken_at` integer NOT NULL,
	`unit` text NOT NULL,
	`journal` text NOT NULL,
	FOREIGN KEY (`restart_id`) REFERENCES `restart_attempts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`token` text NOT NULL,
	`user_id` text NOT NULL,
	`expires_at` integer NOT NULL,
	`ip_address` text,
	`user_agent` text,
	`impersonated_by` text,
	`created_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`updated_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sessions_token_unique` ON `sessions` (`token`);--> statement-breakpoint
CREATE INDEX `sessions_user_id_idx` ON `sessions` (`user_id`);--> statement-breakpoint
CREATE INDEX `sessions_expires_at_idx` ON `sessions` (`expires_at`);--> statement-breakpoint
CREATE TABLE `two_factors` (
	`id` text PRIMARY KEY NOT NULL,
	`secret` text NOT NULL,
	`backup_codes` text NOT NULL,
	`user_id` text NOT NULL,
	`verified` integer DEFAULT false NOT NULL,
	`failed_verification_count` integer DEFAULT 0 NOT NULL,
	`locked_until` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `two_factors_user_id_idx` ON `two_factors` (`user_id`);--> statement-breakpoint
CREATE TABLE `verifications` (
	`id` text PRIMARY KEY NOT NULL,
	`identifier` text NOT NULL,
	`value` text NOT NULL,
	`expires_at` integer NOT NULL,
	`created_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`updated_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL
);
--> statement-breakpoint
CREATE INDEX `verifications_identifier_idx` ON `verifications` (`identifier`);--> statement-breakpoint
ALTER TABLE `health_checks` ADD `reachable` integer;--> statement-breakpoint
ALTER TABLE `health_checks` ADD `last_notified_recovered_at` integer;--> statement-breakpoint
ALTER TABLE `health_checks` ADD `maintenance_seen_since` integer;--> statement-breakpoint
ALTER TABLE `restart_attempts` ADD `incident_id` text;--> statement-breakpoint
CREATE INDEX `restart_attempts_incident_idx` ON `restart_attempts` (`incident_id`);--> statement-breakpoint
ALTER TABLE `users` ADD `email_verified` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `users` ADD `image` text;--> statement-breakpoint
ALTER TABLE `users` ADD `banned` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `users` ADD `ban_reason` text;--> statement-breakpoint
ALTER TABLE `users` ADD `ban_expires` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `two_factor_enabled` integer DEFAULT false NOT NULL;--> statement-breakpoint
INSERT INTO `maintenance_windows` (`id`, `user_id`, `kind`, `starts_at`, `created_by`)
	SELECT 'window-' || lower(hex(randomblob(8))), `user_id`, 'once', `maintenance_since`, 'cli' FROM `subscriptions` WHERE `maintenance_since` IS NOT NULL;--> statement-breakpoint
ALTER TABLE `subscriptions` DROP COLUMN `maintenance_since`;--> statement-breakpoint
UPDATE `health_checks` SET `reachable` = `status` IN ('healthy', 'unhealthy') WHERE `last_check_at` IS NOT NULL AND `status` <> 'circuit_open';
