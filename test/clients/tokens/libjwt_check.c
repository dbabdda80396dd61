/*-------------------------------------------------------------------------
 *
 * libjwt_check.c
 *	  What libjwt makes of tokens: a line of hex becomes "ok" or "refused".
 *
 * Usage: libjwt_check PEM, the file of one public key.  The algorithm is checked
 * after decoding, as libjwt asks of its callers; claims are not looked at.
 *
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jwt.h>

#define LINE_MAX_SIZE 65536
#define PEM_MAX 4096

static bool
is_accepted(const char *token, const unsigned char *pem, size_t pem_len)
{
	jwt_t *jwt = NULL;
	bool accepted = jwt_decode(&jwt, token, pem, (int) pem_len) == 0 &&
					jwt_get_alg(jwt) == JWT_ALG_ES256;

	jwt_free(jwt);
	return accepted;
}

int
main(int argc, char **argv)
{
	static char line[LINE_MAX_SIZE], token[LINE_MAX_SIZE];
	unsigned char pem[PEM_MAX];
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	size_t pem_len = file ? fread(pem, 1, sizeof(pem), file) : 0;

	if (pem_len == 0)
		return 2;
	fclose(file);
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		size_t len = 0;
		unsigned value;

		while (sscanf(line + 2 * len, "%2x", &value) == 1)
			token[len++] = (char) value;
		token[len] = '\0';
		/* libjwt takes strings: what a zero byte hides from it is not its token */
		puts(strlen(token) == len && is_accepted(token, pem, pem_len) ? "ok" : "refused");
	}
	return 0;
}
