// SPDX-License-Identifier: GPL-2.0-only
/*
 * `lodge run --report`. The host hashes the first disk with sha256sum, the
 * guest hashes what it reads from it, and the guest's line says whether both
 * agree. Runs before and after the VM; no lock.
 */
#include "report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm.h"

#define HASH_LENGTH 64

static void __attribute__((noreturn)) hash_child(int disk, int output)
{
	/* It must not outlive the tool, even one that was killed. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || lseek(disk, 0, SEEK_SET) ||
	    dup2(disk, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0)
		_exit(126);
	execlp("sha256sum", "sha256sum", (char *)NULL);
	_exit(127);
}

static void disk_hash(const struct lodge_disk *disk, char hash[HASH_LENGTH + 1])
{
	int ends[2], status;
	size_t length = 0;
	ssize_t got;
	pid_t child;

	if (pipe(ends))
		lodge_fail(STATUS_FAILED, "the host gives no pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		lodge_fail(STATUS_FAILED, "the host gives no process: %s", strerror(errno));
	if (!child)
		hash_child(disk->fd, ends[1]);
	close(ends[1]);
	while (length < HASH_LENGTH) {
		got = read(ends[0], hash + length, HASH_LENGTH - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	close(ends[0]);
	hash[length] = '\0';
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (length != HASH_LENGTH || strspn(hash, "0123456789abcdef") != HASH_LENGTH)
		lodge_fail(STATUS_FILE, "disk %s cannot be hashed: is sha256sum installed?",
			   disk->path);
}

const char *lodge_report_command_line(const char *command_line, const struct lodge_disk *disk)
{
	char hash[HASH_LENGTH + 1] = "none";
	char *longer;

	if (disk)
		disk_hash(disk, hash);
	if (asprintf(&longer, "%s lodge.report lodge.sha256=%s", command_line, hash) < 0)
		lodge_fail(STATUS_MEMORY, "the host has no memory left for a command line");
	return longer;
}

enum lodge_status lodge_report_print(const char *line, enum lodge_status status)
{
	bool good = *line && !strstr(line, " disk=bad");

	if (!*line)
		line = LODGE_REPORT_PREFIX "- cpus=- clocksource=- disk=-";
	printf("%s poweroff=%s\n", line, lodge_vm_end_word(status));
	fflush(stdout);
	return status == STATUS_OK && !good ? STATUS_REPORT : status;
}
