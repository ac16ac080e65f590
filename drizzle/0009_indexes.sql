DROP INDEX `health_checks_status_idx`;--> statement-breakpoint
DROP INDEX `health_events_incident_idx`;--> statement-breakpoint
CREATE INDEX `health_events_incident_idx` ON `health_events` (`incident_id`,`at`);--> statement-breakpoint
DROP INDEX `incidents_opened_idx`;--> statement-breakpoint
DROP INDEX `incidents_user_idx`;--> statement-breakpoint
CREATE INDEX `incidents_list_idx` ON `incidents` (("ended_at" IS NOT NULL),"opened_at" DESC,"id" DESC);--> statement-breakpoint
CREATE INDEX `incidents_vps_idx` ON `incidents` (`vps_id`,("ended_at" IS NOT NULL),"opened_at" DESC,"id" DESC);--> statement-breakpoint
CREATE INDEX `incidents_cause_idx` ON `incidents` (`cause`,("ended_at" IS NOT NULL),"opened_at" DESC,"id" DESC);--> statement-breakpoint
CREATE INDEX `incidents_opened_idx` ON `incidents` (`opened_at`,`id`);--> statement-breakpoint
CREATE INDEX `incidents_user_idx` ON `incidents` (`user_id`,("ended_at" IS NOT NULL),"opened_at" DESC,"id" DESC);--> statement-breakpoint
DROP INDEX `notifications_incident_idx`;--> statement-breakpoint
CREATE INDEX `notifications_status_idx` ON `notifications` (`status`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `notifications_recipient_idx` ON `notifications` (`recipient_id`,`channel`,`created_at`);--> statement-breakpoint
CREATE INDEX `notifications_incident_idx` ON `notifications` (`incident_id`,`created_at`);--> statement-breakpoint
DROP INDEX `restart_attempts_incident_idx`;--> statement-breakpoint
CREATE INDEX `restart_attempts_incident_idx` ON `restart_attempts` (`incident_id`,`intended_at`);--> statement-breakpoint
CREATE INDEX `maintenance_windows_ends_idx` ON `maintenance_windows` (`ends_at`);--> statement-breakpoint
CREATE INDEX `notification_targets_channel_idx` ON `notification_targets` (`channel`);--> statement-breakpoint
CREATE INDEX `subscriptions_host_key_idx` ON `subscriptions` (`ssh_host_key`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `users_role_idx` ON `users` (`role`,`email`);