CREATE TABLE `vps_labels` (
	`vps_id` text NOT NULL,
	`name` text NOT NULL,
	`value` text NOT NULL,
	PRIMARY KEY(`vps_id`, `name`),
	FOREIGN KEY (`vps_id`) REFERENCES `subscriptions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `vps_labels_name_idx` ON `vps_labels` (`name`,`value`,`vps_id`);--> statement-breakpoint
CREATE INDEX `subscriptions_ssh_key_idx` ON `subscriptions` (`ssh_key_id`);